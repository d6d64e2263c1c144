/** Moments as Docker's `until` filter takes them: a Go duration before now, a date or time, or seconds since 1970. */

const unitSeconds: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 }
const duration = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/
const dateTime = /^\d{4}-\d\d-\d\d(?:T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)?(?:Z|[+-]\d\d:\d\d)?$/

/** Seconds since 1970. @throws TypeError for text that is none of these */
export function untilSeconds(text: string, nowSeconds = Date.now() / 1000): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text)
  if (duration.test(text)) {
    let sum = 0
    for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g))
      sum += Number(amount) * unitSeconds[unit!]!
    return nowSeconds - (text.startsWith('-') ? -sum : sum)
  }
  // A date alone is local midnight to Docker; to JavaScript it would be UTC.
  const whole = /T/.test(text)
    ? text.replace(/T(\d\d)(?=Z|[+-]|$)/, 'T$1:00')
    : `${text.slice(0, 10)}T00:00:00${text.slice(10)}`
  const ms = dateTime.test(text) && isInCalendar(text) ? Date.parse(whole) : Number.NaN
  if (Number.isNaN(ms)) throw new TypeError(`${JSON.stringify(text)} is not a duration, a time or seconds since 1970`)
  return ms / 1000
}

/** To JavaScript the 30th of February is the 1st of March, and hour 24 the next day. */
function isInCalendar(text: string): boolean {
  const [, date, hour = '00'] = /^(\d{4}-\d\d-\d\d)(?:T(\d\d))?/.exec(text) ?? []
  const midnight = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date!) && hour < '24'
}
