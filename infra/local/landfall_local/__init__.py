"""The local cloud: the AWS services that Landfall uses, on one machine, with no account and no Docker.

The modules, along the data's way:

    __main__         the commands: serve, deploy, run, up, invoke
    driver           what `make run`, `make up` and `make invoke` do, and what they print
    postcodes        a stand-in for the postcodes API
    server           starts everything below on one port
    control          what AWS has no API for: deploy a stack, fire a schedule, look at processes, let calls fail
    names            the names that a stack has from its metadata
    cloudformation/  deploys the same SAM template, and stops on anything it cannot honour
    scheduler        fires a schedule by hand, as EventBridge Scheduler would
    functions        the Lambda API in front of:
    lambda_host      real processes that speak the Runtime API
    runtime_api      that API
    sandbox_limits   kills a process that uses more memory or /tmp than its function has
    concurrency      how many of them there are at once
    function_log     what they print
    calls            the AWS requests of functions: counted and, for tests, struck by crashes and faults
    faults           how such a call fails: with an error, late, never, in part
    operations       which operation of AWS a request is
    errors           errors in the wire formats of the services
    iam/             whether a call is allowed, by the role of who calls and the policy of what is called
    async_invoke     the event queue of a function: retries, then the on-failure destination
    notifications    S3 events, as S3 sends them
    s3_fidelity      what moto's S3 accepts and S3 refuses
    s3_checksums     which checksums an object has, and which are wrong
    s3_multipart     which parts an upload takes, and what it completes
    step_functions   makes moto's interpreter of state machines fit to be relied on
    glue_fidelity    optimistic locking of Glue tables
    athena/          Athena's API, answered by DuckDB over the tables that Glue defines

Everything else (the APIs of S3, SQS, SNS, IAM, Glue and so on) is moto (https://docs.getmoto.org) as it comes.
"""
