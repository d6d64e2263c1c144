/** Everything that a store of driver packed does, killed at calls that change something. */
import { killSweepTests } from '../build/kill-sweep-tests.js'

killSweepTests('packed')
