/** What Keyturn uses of the context object of a Lambda function (Lambda developer guide, Node.js). */
export interface LambdaContext {
  readonly invokedFunctionArn: string;
  getRemainingTimeInMillis(): number;
}
