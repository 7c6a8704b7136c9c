/**
 * What two users were granted, for the role that both belong to: whoever logs in becomes that role, so a grant to one
 * of them alone reaches nobody. Each query makes the statements that are still missing; nothing is ever revoked.
 */
import type { SqlClient } from '../../contract/sql.ts';
import type { Pair } from './pair.ts';

/** Every kind of object with an access list (PostgreSQL documentation, section 5.8), in this database or shared. */
const objects = `
  SELECT 'TABLE' AS kind, format('%I.%I', n.nspname, c.relname) AS name, '' AS part, c.relacl AS list, c.relowner AS owned
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p')
  UNION ALL
  SELECT 'SEQUENCE', format('%I.%I', n.nspname, c.relname), '', c.relacl, c.relowner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'
  UNION ALL
  SELECT 'TABLE', format('%I.%I', n.nspname, c.relname), format(' (%I)', a.attname), a.attacl, c.relowner
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
  UNION ALL
  SELECT 'SCHEMA', format('%I', nspname), '', nspacl, nspowner FROM pg_namespace
  UNION ALL
  SELECT 'DATABASE', format('%I', datname), '', datacl, datdba FROM pg_database
  UNION ALL
  SELECT 'ROUTINE', oid::regprocedure::text, '', proacl, proowner FROM pg_proc
  UNION ALL
  SELECT 'TYPE', oid::regtype::text, '', typacl, typowner FROM pg_type
  UNION ALL
  SELECT 'LANGUAGE', format('%I', lanname), '', lanacl, lanowner FROM pg_language
  UNION ALL
  SELECT 'FOREIGN DATA WRAPPER', format('%I', fdwname), '', fdwacl, fdwowner FROM pg_foreign_data_wrapper
  UNION ALL
  SELECT 'FOREIGN SERVER', format('%I', srvname), '', srvacl, srvowner FROM pg_foreign_server
  UNION ALL
  SELECT 'LARGE OBJECT', oid::text, '', lomacl, lomowner FROM pg_largeobject_metadata
  UNION ALL
  SELECT 'TABLESPACE', format('%I', spcname), '', spcacl, spcowner FROM pg_tablespace`;

/** Settings that a superuser lets others change, since PostgreSQL 15. */
const parameters = `
  UNION ALL
  SELECT 'PARAMETER', parname, '', paracl, 0::oid FROM pg_parameter_acl`;

/** $1: the names of the two users. $2: the name of the role that both belong to. */
const roles = `
  pair AS (SELECT oid FROM pg_roles WHERE rolname = ANY($1)),
  owner AS (SELECT oid FROM pg_roles WHERE rolname = $2::text)`;

const privileges = (version: number) => `
  WITH ${roles}
  SELECT DISTINCT format('GRANT %s%s ON %s %s TO %I%s', given.privilege_type, part, kind, name, $2::text,
    CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
  FROM (${objects}${version >= 150_000 ? parameters : ''}) AS objects, aclexplode(list) AS given
  WHERE given.grantee IN (SELECT oid FROM pair)
    AND owned NOT IN (SELECT oid FROM pair UNION ALL SELECT oid FROM owner)
    AND NOT EXISTS (
      SELECT FROM aclexplode(list) AS has
      WHERE has.grantee = (SELECT oid FROM owner) AND has.privilege_type = given.privilege_type
        AND (has.is_grantable OR NOT given.is_grantable))`;

const defaults = `
  SELECT d.defaclrole AS maker, r.rolname AS maker_name, d.defaclnamespace AS space, d.defaclobjtype AS type,
    d.defaclacl AS list,
    CASE WHEN d.defaclnamespace = 0 THEN '' ELSE format(' IN SCHEMA %I', n.nspname) END AS place,
    CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
      WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS kind
  FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace`;

/** What others will make: granted to one of the two by default. */
const defaultsForPair = `
  WITH ${roles}, defaults AS (${defaults})
  SELECT DISTINCT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s GRANT %s ON %s TO %I%s', maker_name, place,
    given.privilege_type, kind, $2::text, CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
  FROM defaults, aclexplode(list) AS given
  WHERE given.grantee IN (SELECT oid FROM pair)
    AND maker NOT IN (SELECT oid FROM pair UNION ALL SELECT oid FROM owner)
    AND NOT EXISTS (
      SELECT FROM aclexplode(list) AS has
      WHERE has.grantee = (SELECT oid FROM owner) AND has.privilege_type = given.privilege_type
        AND (has.is_grantable OR NOT given.is_grantable))`;

/** What the two will make: from now on the role that both belong to makes it. */
const defaultsOfPair = `
  WITH ${roles}, defaults AS (${defaults})
  SELECT DISTINCT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s GRANT %s ON %s TO %s%s', $2::text, place,
    given.privilege_type, kind, CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(to_role.rolname) END,
    CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
  FROM defaults, aclexplode(list) AS given LEFT JOIN pg_roles to_role ON to_role.oid = given.grantee
  WHERE maker IN (SELECT oid FROM pair)
    AND given.grantee NOT IN (SELECT oid FROM pair UNION ALL SELECT oid FROM owner)
    AND NOT (given.grantee = 0 AND space = 0)
    AND NOT EXISTS (
      SELECT FROM defaults AS own, aclexplode(own.list) AS has
      WHERE own.maker = (SELECT oid FROM owner) AND own.space = defaults.space AND own.type = defaults.type
        AND has.grantee = given.grantee AND has.privilege_type = given.privilege_type
        AND (has.is_grantable OR NOT given.is_grantable))`;

/** What everybody may do by default with routines and types, where one of the two took it away from what it makes. */
const withheldByPair = `
  WITH ${roles}, defaults AS (${defaults})
  SELECT DISTINCT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE ALL ON %s FROM PUBLIC', $2::text, kind) AS statement
  FROM defaults
  WHERE maker IN (SELECT oid FROM pair) AND space = 0 AND type IN ('f', 'T')
    AND NOT EXISTS (SELECT FROM aclexplode(list) AS given WHERE given.grantee = 0)
    AND NOT EXISTS (
      SELECT FROM defaults AS own
      WHERE own.maker = (SELECT oid FROM owner) AND own.space = 0 AND own.type = defaults.type
        AND NOT EXISTS (SELECT FROM aclexplode(own.list) AS has WHERE has.grantee = 0))`;

/** Roles that one of the two belongs to; since PostgreSQL 16 each with three options. */
const memberships = (version: number) => `
  WITH ${roles}
  SELECT DISTINCT format('GRANT %I TO %I${version >= 160_000 ? ' WITH ADMIN %s, INHERIT %s, SET %s' : '%s'}', granted.rolname, $2::text,
    ${version >= 160_000 ? 'm.admin_option::text, m.inherit_option::text, m.set_option::text' : "CASE WHEN m.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END"}) AS statement
  FROM pg_auth_members m JOIN pg_roles granted ON granted.oid = m.roleid
  WHERE m.member IN (SELECT oid FROM pair)
    AND m.roleid NOT IN (SELECT oid FROM pair UNION ALL SELECT oid FROM owner)
    AND NOT EXISTS (
      SELECT FROM pg_auth_members has
      WHERE has.member = (SELECT oid FROM owner) AND has.roleid = m.roleid
        AND (has.admin_option OR NOT m.admin_option)
        ${version >= 160_000 ? 'AND (has.inherit_option OR NOT m.inherit_option) AND (has.set_option OR NOT m.set_option)' : ''})`;

/** Policies of row security that name one of the two. */
const policies = `
  WITH ${roles}
  SELECT format('ALTER POLICY %I ON %I.%I TO %s, %I', p.polname, n.nspname, c.relname,
    (SELECT string_agg(quote_ident(rolname), ', ') FROM pg_roles WHERE oid = ANY(p.polroles)), $2::text) AS statement
  FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE p.polroles && (SELECT array_agg(oid) FROM pair) AND NOT (SELECT oid FROM owner) = ANY(p.polroles)`;

/** What a role itself may do, beyond what it is granted. */
const attributes = `
  SELECT format('ALTER ROLE %I %s', $2::text, attribute) AS statement
  FROM pg_roles owner, LATERAL (VALUES
    ('CREATEDB', owner.rolcreatedb, (SELECT bool_or(rolcreatedb) FROM pg_roles WHERE rolname = ANY($1))),
    ('CREATEROLE', owner.rolcreaterole, (SELECT bool_or(rolcreaterole) FROM pg_roles WHERE rolname = ANY($1))),
    ('BYPASSRLS', owner.rolbypassrls, (SELECT bool_or(rolbypassrls) FROM pg_roles WHERE rolname = ANY($1)))
  ) AS one (attribute, has, wanted)
  WHERE owner.rolname = $2::text AND wanted AND NOT has`;

/** The statements that give the role what one of the two has and it has not. */
export async function missingGrants(
  client: SqlClient,
  { user, other, owner }: Pair,
  version: number,
): Promise<string[]> {
  const statements: string[] = [];
  for (const query of [
    attributes,
    memberships(version),
    privileges(version),
    policies,
    defaultsForPair,
    withheldByPair,
    defaultsOfPair,
  ]) {
    for (const { statement } of await client.query(query, [[user, other], owner])) {
      statements.push(String(statement));
    }
  }
  return statements;
}
