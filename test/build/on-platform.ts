/** Calls with `process.platform` or `process.arch` saying something else. */
export function onPlatform<T>(platform: NodeJS.Platform, call: () => T): T {
  return pretending('platform', platform, call)
}

export function onArchitecture<T>(arch: string, call: () => T): T {
  return pretending('arch', arch, call)
}

function pretending<T>(property: 'platform' | 'arch', value: string, call: () => T): T {
  const before = Object.getOwnPropertyDescriptor(process, property)!
  Object.defineProperty(process, property, { ...before, value })
  try {
    return call()
  } finally {
    Object.defineProperty(process, property, before)
  }
}
