export { startDatabase as startPostgres, type TestDatabase } from '../../../service-kit/test/support/test-service.js'
