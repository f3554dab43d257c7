//! How long a request may take that S3 works at.

use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;

/// Until a request that S3 works at is made again.
const WORK_TIMEOUT: Duration = Duration::from_mins(5);

/// For requests that S3 itself works at for a while: copies, and the end of an upload in parts. It says nothing
/// meanwhile, so that neither the silence nor the stream that stands still is a mistake.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
pub(crate) fn patient() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::new()
        .timeout_config(TimeoutConfig::builder().read_timeout(WORK_TIMEOUT).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}
