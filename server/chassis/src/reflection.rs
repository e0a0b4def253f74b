//! Server reflection, v1 and v1alpha, over the descriptor bytes of all modules. The bytes are never decoded and encoded
//! again: prost would drop the options.

use tonic::server::NamedService;
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::module::GrpcService;

/// The encoded descriptors of the reflection protocols themselves.
pub(crate) const DESCRIPTORS: [&[u8]; 2] = [
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];

/// Builds both services. A file that several sets hold counts once.
///
/// # Errors
/// A set cannot be read.
pub(crate) fn services<'a>(
    sets: impl IntoIterator<Item = &'a [u8]> + Clone,
) -> Result<[(&'static str, GrpcService); 2], tonic_reflection::server::Error> {
    let builder = || {
        sets.clone()
            .into_iter()
            .fold(tonic_reflection::server::Builder::configure(), |builder, set| {
                builder.register_encoded_file_descriptor_set(set)
            })
    };
    Ok([boxed(builder().build_v1()?), boxed(builder().build_v1alpha()?)])
}

fn boxed<S>(service: S) -> (&'static str, GrpcService)
where
    S: NamedService
        + Service<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    (S::NAME, BoxCloneSyncService::new(service))
}
