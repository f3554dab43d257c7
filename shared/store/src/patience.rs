//! The timeout of requests that S3 works on for a while.

use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;

/// How long such a request may take before it is repeated.
const WORK_TIMEOUT: Duration = Duration::from_mins(5);

/// Returns the configuration for copies and for the completion of multipart uploads. S3 sends nothing while it works on
/// them, so neither silence nor a stalled stream is an error.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
pub(crate) fn patient() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::new()
        .timeout_config(TimeoutConfig::builder().read_timeout(WORK_TIMEOUT).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}
