"""IAM: whether a call is allowed, judged by the policies of the caller's role and of what is called.

judge       stands in front of moto and asks for each request:
principals  who calls
needs, s3   which actions on which resources the call takes, and what conditions can ask of it
sse         which key S3 asks for
keys        what the policies of keys say to that
policies    what the policies say to that
conditions  the Condition of a statement
usage       writes down which permissions were used
report      lists those that no test has used
"""
