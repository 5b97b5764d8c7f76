//! The features that change what a session may do or how its tokens look, and how far they may be asked for.

use bytes::Bytes;
use tds::login7::{Feature, FeatureId};

/// Features whose acknowledgement is a promise for the whole session, so that it must hold wherever the session may go.
/// FEDAUTH is a matter of one login, and USERAGENT promises nothing.
pub(crate) const PROMISES: [FeatureId; 5] = [
    FeatureId::ColumnEncryption,
    FeatureId::DataClassification,
    FeatureId::Utf8Support,
    FeatureId::Json,
    FeatureId::Vector,
];

/// Promises with their versions; 0 is a promise that is not made.
pub(crate) type Versions = Vec<(FeatureId, u8)>;

/// The promises among `features`. Their first byte is a version, asked for or granted ([MS-TDS] 2.2.6.4, 2.2.7.11); a
/// request for UTF8_SUPPORT has no data.
pub(crate) fn versions(features: &[Feature]) -> Versions {
    let promises = features.iter().filter(|feature| PROMISES.contains(&feature.id));
    promises.map(|feature| (feature.id, feature.data.first().copied().unwrap_or(1))).collect()
}

/// A request for every promise, in the highest version there is.
pub(crate) fn every_promise() -> Vec<Feature> {
    let asked = |id| {
        let data: &[u8] = match id {
            FeatureId::ColumnEncryption => &[3],
            FeatureId::DataClassification => &[2],
            FeatureId::Utf8Support => &[],
            _ => &[1],
        };
        Feature { id, data: Bytes::from_static(data) }
    };
    PROMISES.into_iter().map(asked).collect()
}

/// How far promises may go; those it does not name may go as far as they like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Narrowed(pub(crate) Versions);

impl Narrowed {
    /// Takes out of a request what must not be promised, and lowers versions that are too high.
    pub(crate) fn narrow(&self, features: &mut Vec<Feature>) {
        for (id, most) in &self.0 {
            features.retain(|feature| feature.id != *id || *most > 0);
            let promised = features.iter_mut().filter(|feature| feature.id == *id);
            for feature in promised.filter(|feature| feature.data.first().is_some_and(|version| version > most)) {
                // What follows a version belongs to it, and no request known has anything there.
                feature.data = Bytes::copy_from_slice(&[*most]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Requests before and after they were narrowed.

    use super::*;

    #[track_caller]
    fn check(most: u8, id: FeatureId, data: &'static [u8], want: Option<&[u8]>) {
        let mut features = vec![Feature { id, data: Bytes::from_static(data) }];
        Narrowed(vec![(FeatureId::ColumnEncryption, most)]).narrow(&mut features);
        assert_eq!(features.first().map(|feature| &feature.data[..]), want);
    }

    #[test]
    fn a_request_goes_as_far_as_it_may() {
        check(0, FeatureId::ColumnEncryption, &[3], None);
        check(1, FeatureId::ColumnEncryption, &[3], Some(&[1]));
        check(3, FeatureId::ColumnEncryption, &[2], Some(&[2]));
        check(0, FeatureId::Json, &[1], Some(&[1]));
    }

    #[test]
    fn only_promises_are_compared() {
        let feature = |id, data: &'static [u8]| Feature { id, data: Bytes::from_static(data) };
        let features = [
            feature(FeatureId::FederatedAuthentication, &[2]),
            feature(FeatureId::Utf8Support, &[]),
            feature(FeatureId::ColumnEncryption, &[3]),
        ];
        assert_eq!(versions(&features), [(FeatureId::Utf8Support, 1), (FeatureId::ColumnEncryption, 3)]);
    }
}
