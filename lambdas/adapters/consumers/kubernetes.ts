import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { KeyturnError } from '../../contract/errors.ts';
import type { Secrets } from '../../contract/ports.ts';
import type { ExternalSecretsVersion, Kubernetes, Place, Pod, Workload } from '../../hooks/kubernetes/api.ts';
import { pluralOf } from '../../hooks/kubernetes/role-rules.ts';
import { hook } from '../../hooks/redeploy/kubernetes.ts';
import { secretsManager } from '../aws/secrets.ts';
import { environmentCredentials } from '../aws/signed.ts';
import { type AskCluster, clusterExchange } from '../kubernetes/cluster.ts';
import {
  externalSecretState,
  PodList,
  podOf,
  shaped,
  WorkloadObject,
  workloadState,
} from '../kubernetes/objects.ts';
import { clock } from '../platform.ts';

/** Pods in one page of a list. */
const podsPerPage = 100;
/** A workload of 5,000 pods: the largest cluster that Kubernetes supports has 150,000. */
const mostPages = 50;

/** The API of EKS clusters over HTTPS, and the values from Secrets Manager. */
export function kubernetesApi(ask: AskCluster, secrets: Pick<Secrets, 'read'>): Kubernetes {
  return {
    async workload(place, workload) {
      const answer = await ask({
        ...at(place),
        method: 'GET',
        path: workloadPath(place, workload),
        action: `get ${pluralOf[workload.kind]}.apps ${place.namespace}/${workload.name}`,
      });
      return workloadState(workload, shaped(WorkloadObject, answer, workload.name));
    },

    async change(place, workload, { annotations: own, templateAnnotations = new Map(), replicas }) {
      const spec = {
        ...(replicas === undefined ? {} : { replicas }),
        ...(templateAnnotations.size === 0
          ? {}
          : { template: { metadata: { annotations: Object.fromEntries(templateAnnotations) } } }),
      };
      await ask({
        ...at(place),
        method: 'PATCH',
        path: workloadPath(place, workload),
        action: `patch ${pluralOf[workload.kind]}.apps ${place.namespace}/${workload.name}`,
        body: JSON.stringify({
          metadata: { annotations: Object.fromEntries(own) },
          ...(Object.keys(spec).length === 0 ? {} : { spec }),
        }),
        metadataOnly: true,
      });
    },

    async pods(place, selector) {
      const pods: Pod[] = [];
      let next: string | undefined;
      for (let page = 0; page < mostPages; page += 1) {
        const query = new URLSearchParams({
          labelSelector: selector,
          limit: String(podsPerPage),
          ...(next === undefined ? {} : { continue: next }),
        });
        const answer = await ask({
          ...at(place),
          method: 'GET',
          path: `/api/v1/namespaces/${encodeURIComponent(place.namespace)}/pods?${query}`,
          action: `list pods ${place.namespace}`,
        });
        const list = shaped(PodList, answer, 'pods');
        pods.push(...list.items.map(podOf));
        next = list.metadata.continue;
        if (next === undefined || next === '') return pods;
      }
      throw new KeyturnError({
        code: 'AwsRefused',
        message: `A workload may have at most ${mostPages * podsPerPage} pods; ${selector} selects more.`,
      });
    },

    async externalSecret(place, version, name) {
      const answer = await ask({
        ...at(place),
        method: 'GET',
        path: externalSecretPath(place, version, name),
        action: `get externalsecrets.external-secrets.io ${place.namespace}/${name}`,
      });
      return externalSecretState(answer, name);
    },

    async annotateExternalSecret(place, version, name, own) {
      const answer = await ask({
        ...at(place),
        method: 'PATCH',
        path: externalSecretPath(place, version, name),
        action: `patch externalsecrets.external-secrets.io ${place.namespace}/${name}`,
        body: JSON.stringify({ metadata: { annotations: Object.fromEntries(own) } }),
      });
      return externalSecretState(answer, name);
    },

    async patchSecret(place, name, values) {
      const data = [...values].map(([key, value]) => [key, Buffer.from(value.reveal()).toString('base64')]);
      await ask({
        ...at(place),
        method: 'PATCH',
        path: `/api/v1/namespaces/${encodeURIComponent(place.namespace)}/secrets/${encodeURIComponent(name)}`,
        action: `patch secrets ${place.namespace}/${name}`,
        body: JSON.stringify({ data: Object.fromEntries(data) }),
        metadataOnly: true,
      });
    },

    async value(secretId, versionId) {
      return (await secrets.read(secretId, versionId)).value;
    },
  };
}

const at = ({ cluster, region }: Place) => ({ cluster, region });

function workloadPath({ namespace }: Place, { kind, name }: Workload): string {
  return `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/${pluralOf[kind]}/${encodeURIComponent(name)}`;
}

function externalSecretPath({ namespace }: Place, version: ExternalSecretsVersion, name: string): string {
  return `/apis/external-secrets.io/${version}/namespaces/${encodeURIComponent(namespace)}/externalsecrets/${encodeURIComponent(name)}`;
}

/** Read by the generated entry of the redeploy stage. */
export const connected = () =>
  hook.connect(
    kubernetesApi(
      clusterExchange({ credentials: environmentCredentials, clock }),
      secretsManager(new SecretsManagerClient({})),
    ),
  );
