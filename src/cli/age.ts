/** When something was made, as Docker's listings show it. */
import { humanAge } from './format/duration.js'

/** Go's zero time, 1 January of the year 1: what Docker shows of a date that is not there. */
const zeroSeconds = -62_135_596_800

/** What a history has from before is a zero or a build system's epoch, no date (docker/cli, formatter/history.go). */
const earliestStepSeconds = Date.UTC(2000, 0, 1) / 1000

export interface Age {
  /** In local time, in the form that Docker has for this listing. */
  readonly at: string
  /** `3 weeks ago`. */
  readonly since: string
}

/** Of an image; `since` is empty when the date is not known. */
export function imageAge(created: string | undefined, nowSeconds = Date.now() / 1000): Age {
  const seconds = secondsOf(created)
  const since = seconds === zeroSeconds ? '' : humanAge(seconds, nowSeconds)
  return {
    // Names of time zones are slow to find, and listings hardly ever show them.
    get at() {
      return localTime(seconds, ' ')
    },
    since,
  }
}

/** Of a step of an image's history. */
export function stepAge(created: string | undefined, nowSeconds = Date.now() / 1000): Age {
  const seconds = secondsOf(created)
  const since = seconds <= earliestStepSeconds ? 'N/A' : humanAge(seconds, nowSeconds)
  return { at: localTime(seconds, 'T'), since }
}

/** Whole seconds since 1970; Go's zero time when it is not known. */
function secondsOf(created: string | undefined): number {
  const ms = created === undefined ? Number.NaN : Date.parse(created)
  return Number.isNaN(ms) ? zeroSeconds : Math.floor(ms / 1000)
}

/** `2024-05-01T14:00:00+02:00`, or with a space the form of Go's Time.String: `2024-05-01 14:00:00 +0200 CEST`. */
function localTime(seconds: number, form: 'T' | ' '): string {
  const date = new Date(seconds * 1000)
  const day = [String(date.getFullYear()).padStart(4, '0'), two(date.getMonth() + 1), two(date.getDate())].join('-')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  const offset = -date.getTimezoneOffset()
  const hours = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}`
  const minutes = two(Math.abs(offset) % 60)
  if (form === 'T') return `${day}T${time}${offset === 0 ? 'Z' : `${hours}:${minutes}`}`
  return `${day} ${time} ${hours}${minutes} ${zoneName(date) ?? `${hours}${minutes === '00' ? '' : minutes}`}`
}

function two(part: number): string {
  return String(part).padStart(2, '0')
}

/** Each locale knows the abbreviations of its own part of the world (`CEST`), and has `GMT+2` for the others. */
const zoneLocales = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-ZA', 'ja']
let zoneFormats: readonly Intl.DateTimeFormat[] | undefined

function zoneName(date: Date): string | undefined {
  zoneFormats ??= zoneLocales.map(locale => new Intl.DateTimeFormat(locale, { timeZoneName: 'short' }))
  for (const format of zoneFormats) {
    const name = format.formatToParts(date).find(({ type }) => type === 'timeZoneName')?.value
    if (name !== undefined && !/^GMT[-+\u2212]/.test(name)) return name
  }
  return undefined
}
