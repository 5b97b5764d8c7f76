//! What is known of one replica.

use std::collections::BTreeMap;

use link_control::topology::{ReplicaName, fold};
use tds::login7::FeatureId;
use tds::prelogin::Version;
use tds::types::Collation;

use crate::admin::{CollationView, PromiseView, ReplicaView};
use crate::backend::Versions;

/// One replica, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) version: Option<Version>,
    /// By case-folded database.
    pub(super) collations: BTreeMap<String, Collation>,
    pub(super) language: Option<String>,
    /// By the feature's number on the wire.
    pub(super) promises: BTreeMap<u8, Extent>,
}

/// How far a replica goes with a feature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// The highest version it granted.
    pub(super) granted: u8,
    /// The highest it grants, known once it was asked for more; 0 where it does not know the feature.
    pub(super) most: Option<u8>,
}

impl Traits {
    /// A version was announced. Another one than before may keep other promises. Says whether that is news, as all here.
    pub(super) fn version(&mut self, version: Version) -> bool {
        let news = self.version != Some(version);
        if news {
            self.promises.clear();
        }
        self.version = Some(version);
        news
    }

    /// A database has this default collation.
    pub(super) fn collation(&mut self, database: &str, collation: Collation) -> bool {
        self.collations.insert(fold(database), collation) != Some(collation)
    }

    /// Probes get this language.
    pub(super) fn language(&mut self, language: &str) -> bool {
        let before = self.language.replace(language.to_owned());
        before.as_deref() != Some(language)
    }

    /// These versions were asked for, and these granted.
    pub(super) fn promises(&mut self, asked: &Versions, granted: &Versions) -> bool {
        let mut news = false;
        for (id, wanted) in asked {
            let got = granted.iter().find(|(granted, _)| granted == id).map_or(0, |(_, version)| *version);
            let extent = self.promises.entry(id.to_byte()).or_default();
            let before = *extent;
            extent.granted = if got < *wanted { got } else { extent.granted.max(got) };
            extent.most = if got < *wanted { Some(got) } else { extent.most.filter(|most| *most >= got) };
            news |= *extent != before;
        }
        news
    }

    /// The highest version of this feature the replica grants, if it is known.
    pub(super) fn most(&self, id: FeatureId) -> Option<u8> {
        self.promises.get(&id.to_byte())?.most
    }

    /// As the admin interface shows it.
    pub(super) fn view(&self, name: &ReplicaName) -> ReplicaView {
        let collation = |(database, collation): (&String, &Collation)| CollationView {
            database: database.clone(),
            collation: shown(*collation),
        };
        let promise = |(id, extent): (&u8, &Extent)| PromiseView {
            feature: format!("{:?}", FeatureId::from_byte(*id)),
            granted: extent.granted,
            most: extent.most,
        };
        ReplicaView {
            name: name.to_string(),
            version: self.version.map(|v| format!("{}.{}.{}", v.major, v.minor, v.build)),
            language: self.language.clone(),
            collations: self.collations.iter().map(collation).collect(),
            features: self.promises.iter().map(promise).collect(),
        }
    }
}

/// A collation as people can compare it; its name is not on the wire.
pub(super) fn shown(collation: Collation) -> String {
    let Collation([a, b, c, d, sort_id]) = collation;
    format!("{a:02X}{b:02X}{c:02X}{d:02X}{sort_id:02X} (locale 0x{:04X}, sort order {sort_id})", collation.lcid())
}
