"""Deploys the SAM template that is deployed to AWS, unchanged, into the local cloud.

sam        the template with its functions' code and its state machine -> CloudFormation
check      refuses everything that the local cloud does not honour, before anything is created
resources  every resource type: its properties, and the calls of the AWS API that create one
deploy     the three together
"""

from .deploy import DeployError, deploy

__all__ = ["DeployError", "deploy"]
