import { LRUCache } from 'lru-cache'

/**
 * At most so many values, the least recently used of which go first. Given `max`, an `LRUCache` takes the memory of all its places at once:
 * milliseconds and megabytes at every boot, for a bound that few ever reach. This one grows.
 *
 * @param most a whole number of at least 1
 */
export function growingLru<Value extends object>(most: number): LRUCache<string, Value> {
  return new LRUCache({ maxSize: most, sizeCalculation: () => 1 })
}
