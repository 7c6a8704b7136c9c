// Stands where a function's bundle would: the tests of templates do not depend on it.
export {};
