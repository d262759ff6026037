/** The toolkit's tests need one too. */
export {
  postgresPrograms,
  type RealPostgres,
  startRealPostgres,
} from '../../../../packages/shared/test/support/real-postgres.js'
