/** When something was made, as Docker's listings show it. */
import { humanAge } from './format/duration.js'

/** What is older than this has no date, only a zero or a build system's epoch (docker/cli, formatter/history.go). */
const earliestSeconds = Date.UTC(2000, 0, 1) / 1000

export interface Age {
  /** `2024-05-01T12:00:00Z`, in local time as Docker prints it. */
  readonly at: string
  /** `3 weeks ago`. */
  readonly since: string
}

export function ageOf(created: string | undefined, nowSeconds = Date.now() / 1000): Age {
  const seconds = secondsOf(created)
  if (seconds <= earliestSeconds) return { at: localTime(seconds, 'T'), since: 'N/A' }
  return { at: localTime(seconds, 'T'), since: humanAge(seconds, nowSeconds) }
}

/** Whole seconds since 1970; 0 when it is not known. */
export function secondsOf(created: string | undefined): number {
  const ms = created === undefined ? Number.NaN : Date.parse(created)
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000)
}

/** `2024-05-01T14:00:00+02:00`, or with a space the form of Go's Time.String: `2024-05-01 14:00:00 +0200 CEST`. */
export function localTime(seconds: number, form: 'T' | ' '): string {
  const date = new Date(seconds * 1000)
  const offset = -date.getTimezoneOffset()
  const local = new Date(date.getTime() + offset * 60_000).toISOString()
  const sign = offset < 0 ? '-' : '+'
  const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60].map(n =>
    String(n).padStart(2, '0'),
  )
  const [day, time] = [local.slice(0, 10), local.slice(11, 19)]
  if (form === 'T') return `${day}T${time}${offset === 0 ? 'Z' : `${sign}${hours}:${minutes}`}`
  const zone = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' })
    .formatToParts(date)
    .find(part => part.type === 'timeZoneName')
  return `${day} ${time} ${sign}${hours}${minutes} ${zone?.value ?? 'UTC'}`
}
