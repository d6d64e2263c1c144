/** Spans of time as Docker prints them: one number, one unit, rounded as it happens. */

/** Go's largest Duration (2^63-1 ns), in seconds: what is older is 292 years old. */
const longest = 9_223_372_036

/** `About a minute`, `3 weeks`. Negative spans are less than a second. */
export function humanDuration(seconds: number): string {
  const span = Math.min(seconds, longest)
  const whole = Math.trunc(span)
  if (whole < 1) return 'Less than a second'
  if (whole === 1) return '1 second'
  if (whole < 60) return `${whole} seconds`
  const minutes = Math.trunc(span / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.trunc(span / 3600 + 0.5)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`
  return `${Math.trunc(Math.trunc(span / 3600) / 24 / 365)} years`
}

/** `3 weeks ago`: the age, at `nowSeconds`, of something made at `thenSeconds` (both since 1970). */
export function humanAge(thenSeconds: number, nowSeconds: number): string {
  return `${humanDuration(nowSeconds - thenSeconds)} ago`
}
