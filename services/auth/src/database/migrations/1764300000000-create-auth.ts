import type { MigrationInterface, QueryRunner } from 'typeorm'

/** The tables of the service, in a schema of their own. A user can't have a role of another tenant. */
export class CreateAuth1764300000000 implements MigrationInterface {
  readonly name = 'CreateAuth1764300000000'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of up) await runner.query(statement)
  }

  async down(runner: QueryRunner): Promise<void> {
    const tables = ['seed_runs', 'user_roles', 'roles', 'users', 'tenants']
    await runner.query(`DROP TABLE ${tables.map((table) => `auth.${table}`).join(', ')}`)
  }
}

const up = [
  `CREATE TABLE auth.tenants (
    id text PRIMARY KEY,
    name text NOT NULL,
    country_code text NOT NULL,
    currency_code text NOT NULL
  )`,
  `CREATE TABLE auth.users (
    id text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES auth.tenants,
    name text NOT NULL CHECK (name = lower(name)),
    display_name text NOT NULL,
    password_hash text NOT NULL,
    is_enabled boolean NOT NULL,
    UNIQUE (tenant_id, name),
    UNIQUE (tenant_id, id)
  )`,
  `CREATE TABLE auth.roles (
    tenant_id text NOT NULL REFERENCES auth.tenants,
    name text NOT NULL,
    PRIMARY KEY (tenant_id, name)
  )`,
  `CREATE TABLE auth.user_roles (
    tenant_id text NOT NULL,
    user_id text NOT NULL,
    role text NOT NULL,
    PRIMARY KEY (tenant_id, user_id, role),
    FOREIGN KEY (tenant_id, user_id) REFERENCES auth.users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, role) REFERENCES auth.roles
  )`,
  `CREATE TABLE auth.seed_runs (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now()
  )`,
]
