/**
 * R17: what this process writes itself is forgotten at the call and at its answer; also at one that says nothing, for it may have been done.
 *
 * @param forget what is kept of it
 */
export async function ownWrite<T>(forget: () => void, run: () => Promise<T>): Promise<T> {
  forget()
  try {
    return await run()
  } finally {
    forget()
  }
}
