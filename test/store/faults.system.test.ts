/** Failing system calls, driver overlay2, those that it makes through koffi included: see test/build/fault-tests.ts. */
import '../build/failing-fs.js'

const { faultTests } = await import('../build/fault-tests.js')

faultTests('overlay2', 3)
