/**
 * For clients in functions: a connection that does not open is given up, so that the error tells of it. The SDK has no
 * such limit of its own: from a VPC without a way to AWS a call would wait until Lambda ends the function.
 */
export const inTime = { requestHandler: { connectionTimeout: 4_000 } } as const;
