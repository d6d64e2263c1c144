/**
 * A template that is wrong, or that does not fit the data: misuse, hence a TypeError. Messages are worded as Go's.
 * What is legal in Go and not there in Phyllo has the code of commands that are not there yet.
 */
export class TemplateError extends TypeError {
  constructor(reason: string) {
    super(`template parsing error: template: ${reason}`)
  }

  static {
    Object.defineProperty(TemplateError.prototype, 'name', {
      value: 'TemplateError',
      configurable: true,
      writable: true,
    })
  }
}

export class UnsupportedTemplate extends TemplateError {
  readonly code = 'COMMAND_UNSUPPORTED'
  /** `{{define}}`, `function "html"`. */
  readonly construct: string

  constructor(construct: string) {
    super(`${construct} is not supported`)
    this.construct = construct
  }
}
