/** Reports what an app's callback threw, as an uncaught exception would be, without stopping anything. */
export function report(thrown: unknown): void {
  if (typeof reportError === 'function') reportError(thrown)
  else console.error(thrown)
}
