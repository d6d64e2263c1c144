/** Failing system calls, driver packed: see test/build/fault-tests.ts. */
import '../build/failing-fs.js'

const { faultTests } = await import('../build/fault-tests.js')

faultTests('packed', 2)
