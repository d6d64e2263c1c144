import { inspectCommand } from '../inspect-command.js'

export const command = inspectCommand('container')
