/** Everything that a store of driver overlay2 does, killed at calls that change something. */
import { killSweepTests } from '../build/kill-sweep-tests.js'

killSweepTests('overlay2')
