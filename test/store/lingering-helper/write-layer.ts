/** The real job. */
export { default } from '../../../workers/write-layer.js'
