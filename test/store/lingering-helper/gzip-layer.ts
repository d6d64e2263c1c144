/** The real job. */
export { default } from '../../../workers/gzip-layer.js'
