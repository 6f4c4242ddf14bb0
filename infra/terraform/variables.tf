variable "stage" {
  description = "The stage. The stack's name is admit-one-<stage>, as the make commands expect."
  type        = string
  default     = "prod"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.stage))
    error_message = "A stage has 1 to 20 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "template_url" {
  description = "The URL of a published release's template, in a bucket of the provider's region."
  type        = string
}

variable "parameters" {
  description = "The template's parameters, by name. Missing parameters get their defaults."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Additional tags for the stack and its resources."
  type        = map(string)
  default     = {}
}
