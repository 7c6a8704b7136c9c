/** The APIs by which consumers are restarted, for the functions of stages that do so. */
import { ECSClient } from '@aws-sdk/client-ecs';
import type { ConsumerPorts } from '../../contract/hooks.ts';
import { ecsApi } from '../aws/ecs.ts';

export const consumers: ConsumerPorts = { ecs: ecsApi(new ECSClient({})) };
