import { z } from 'zod'

const milliseconds = z.number().nullable().meta({ description: 'Milliseconds; null: there was no such read' })

export const latencySchema = z.object({
  cache: z.string().meta({ description: 'Where the second level is', example: 'Redis at localhost:6379' }),
  rows: z.array(
    z.object({
      source: z.enum(['L1 hit', 'L2 hit', 'database']),
      reads: z.number().int().meta({ description: 'Reads that came from there, and were measured' }),
      asked: z.number().int().meta({ description: 'Reads that were to come from there' }),
      p50Ms: milliseconds,
      p99Ms: milliseconds,
    }),
  ),
})
export type Latency = z.infer<typeof latencySchema>
export type LatencyRow = Latency['rows'][number]
