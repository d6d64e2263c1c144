/** What Docker says once a second while a blob waits for its next attempt. */
export function retryingIn(seconds: number): string {
  return `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`
}
