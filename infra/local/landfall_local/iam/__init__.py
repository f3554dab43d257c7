"""IAM: whether a call is allowed, by the policies of the caller's role and of the resource.

judge       is in front of moto and determines for each request:
principals  the caller
needs, s3   the actions and resources of the call, and the values for conditions
sse         the key that S3 needs
keys        the verdict of the keys' policies
policies    the verdict of all other policies
conditions  the Condition of a statement
usage       records the permissions that were used
report      lists those that no test has used
"""
