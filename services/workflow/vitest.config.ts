export { default } from '../service-kit/vitest.config.js'
