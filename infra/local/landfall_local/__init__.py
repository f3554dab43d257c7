"""The local cloud: the AWS services that Landfall uses, on one machine, without an account and without Docker.

The modules, from the commands to the services:

    __main__         the commands: serve, deploy, run, up, invoke, land, replay
    driver           `make run` and `make up`, and their output
    narrator         prints the pipeline's steps while they happen
    landing          `make land` and `make replay`
    invoke           `make invoke`
    running          the address of the cloud that `make up` keeps running
    schema           the inputs of `make new-table` other than samples
    postcodes        a stand-in for the postcodes API
    postcode_places  the places of its postcodes
    server           starts everything below on one port
    account          the account, its region and its keys
    control          the API for everything outside AWS: deploy a stack, fire a schedule, make calls fail
    snapshots        the content of buckets and databases, to restore it
    names            the names that a stack takes from its metadata
    cloudformation/  deploys the same SAM template, and stops on anything that it cannot honour
    scheduler        fires a schedule by hand, as EventBridge Scheduler would
    functions        the Lambda API in front of:
    lambda_host      real processes that speak the Runtime API
    runtime_api      that API
    sandbox_limits   kills a process that uses more memory or /tmp than its function has
    concurrency      limits their number
    function_log     their output
    calls            the AWS requests of functions: counted and, in tests, struck by crashes and faults
    faults           the failures of such a call: with an error, late, never, in part
    operations       the AWS operation of a request
    errors           errors in the wire formats of the services
    iam/             whether a call is allowed, by the role of the caller and the policy of the resource
    async_invoke     the event queue of a function: retries, then the on-failure destination
    notifications    S3 events, as S3 sends them
    s3_fidelity      refuses what S3 refuses but moto accepts
    s3_checksums     the checksums of an object, and wrong ones
    s3_multipart     the parts of an upload, and its completion
    step_functions   makes moto's interpreter of state machines reliable
    glue_fidelity    refuses what Glue refuses but moto accepts, such as a lost update of a table
    athena/          Athena's API, answered by DuckDB over the tables in Glue

Everything else (the APIs of S3, SQS, SNS, IAM, Glue and so on) is moto (https://docs.getmoto.org), unchanged.
"""
