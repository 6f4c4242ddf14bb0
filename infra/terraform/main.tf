resource "aws_cloudformation_stack" "admit_one" {
  name         = "admit-one-${var.stage}"
  template_url = var.template_url
  parameters   = var.parameters
  capabilities = ["CAPABILITY_IAM"]
  tags         = merge({ app = "admit-one", stage = var.stage }, var.tags)

  timeouts {
    create = "60m"
    update = "60m"
    delete = "60m"
  }

  lifecycle {
    prevent_destroy = true
  }
}
