/** asl-validator 4.0.0 comes without declarations; this is what the tests use of it. */
declare module 'asl-validator' {
  interface Answer {
    readonly isValid: boolean;
    readonly errors: readonly { readonly 'Error code': string; readonly Message: string }[];
  }
  export default function validate(definition: unknown): Answer;
}
