/** The variables of an env file, as compose reads it. @throws Error for what it refuses */
export declare function readEnvironment(text: string): Record<string, string>;
