output "site_url" {
  description = "The address of the site; the console is at /console below it."
  value       = aws_cloudformation_stack.admit_one.outputs["SiteUrl"]
}

output "version" {
  description = "The release that the stack runs."
  value       = aws_cloudformation_stack.admit_one.outputs["Version"]
}

output "make_admin_function" {
  description = "The function that creates an admin key. The permission to invoke it equals an admin key."
  value       = aws_cloudformation_stack.admit_one.outputs["MakeAdminFunction"]
}

output "outputs" {
  description = "All outputs of the stack."
  value       = aws_cloudformation_stack.admit_one.outputs
}
