/**
 * The scenes of interleavings.test.ts that have the most orders. They need neither root nor a package, but as long as many
 * files of tests together.
 */
import { everyOrderIsSafe } from '../build/every-order.js'
import { base, left } from '../build/layer-scenes.js'

everyOrderIsSafe([
  [
    'two adders of one image and a collector, the layer left over from an image that was removed',
    { grain: 'protocol', leftOver: [[base]], adders: [[base], [base]] },
    3000,
  ],
  ['two layers, both left over', { grain: 'protocol', leftOver: [[base, left]], adders: [[base, left]] }, 1000],
])
