terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "endpoint" {}
provider "aws" {
  region                      = "us-east-1"
  skip_metadata_api_check     = true
  skip_region_validation      = true
  s3_use_path_style           = true
  endpoints {
    iam = var.endpoint
    sts = var.endpoint
    s3  = var.endpoint
  }
}
data "aws_caller_identity" "me" {}
resource "aws_iam_role" "deploy" {
  name                 = "tf-deploy"
  path                 = "/tf/"
  description          = "made by terraform"
  max_session_duration = 7200
  tags                 = { Team = "blue" }
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.ci.arn }
      Condition = { StringLike = { "token.actions.githubusercontent.com:sub" = "repo:octo/app:*" } }
    }]
  })
}
resource "aws_iam_openid_connect_provider" "ci" {
  url             = "https://token.actions.githubusercontent.com"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["6938fd4d98bab03faadb97b34396831e3780aea1"]
}
data "aws_iam_policy_document" "read" {
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject", "s3:ListBucket"]
    resources = ["arn:aws:s3:::tf-bucket", "arn:aws:s3:::tf-bucket/*"]
  }
}
resource "aws_iam_policy" "read" {
  name   = "tf-read"
  policy = data.aws_iam_policy_document.read.json
  tags   = { Team = "blue" }
}
resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.deploy.name
  policy_arn = aws_iam_policy.read.arn
}
resource "aws_iam_role_policy" "own" {
  name   = "own"
  role   = aws_iam_role.deploy.id
  policy = data.aws_iam_policy_document.read.json
}
resource "aws_iam_group" "ops" {
  name = "tf-ops"
}
resource "aws_iam_group_policy_attachment" "ops" {
  group      = aws_iam_group.ops.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}
resource "aws_iam_user" "ann" {
  name                 = "tf-ann"
  permissions_boundary = aws_iam_policy.read.arn
  tags                 = { Team = "blue" }
}
resource "aws_iam_user_group_membership" "ann" {
  user   = aws_iam_user.ann.name
  groups = [aws_iam_group.ops.name]
}
resource "aws_iam_access_key" "ann" {
  user = aws_iam_user.ann.name
}
resource "aws_iam_account_password_policy" "strict" {
  minimum_password_length        = 12
  require_numbers                = true
  allow_users_to_change_password = true
}
output "account" { value = data.aws_caller_identity.me.account_id }
