/** What `npm start` runs: folders of `services/`, in the order of their ports, which is PORT, PORT + 1, … or, without PORT, 3000, 3001, … */
export const SERVICES = ['master-data', 'rules-engine', 'finance', 'api-gateway', 'auth', 'workflow']

/** In the order of their start: the gateway is told where the others are. */
export const BY_START = [...SERVICES.filter((name) => name !== 'api-gateway'), 'api-gateway']
