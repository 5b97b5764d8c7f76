//! Where the replicas of a link differ, and what that means for its sessions. Pure.

use std::collections::{BTreeMap, BTreeSet};

use link_control::topology::{LinkName, LinkView, ReplicaName};

use super::members;
use super::traits::{Extent, Traits, shown};
use crate::admin::DifferenceView;
use crate::backend::PROMISES;

/// In what replicas differ. A metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The major version of SQL Server.
    Version,
    /// The default collation of a database.
    Collation,
    /// The language of the probes' login.
    Language,
    /// How far a feature is granted.
    Features,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Version, Self::Collation, Self::Language, Self::Features];

    /// The kind as metrics and logs write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Collation => "collation",
            Self::Language => "language",
            Self::Features => "features",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    pub(crate) link: LinkName,
    pub(crate) kind: Kind,
    /// Who has what, and what it means.
    pub(crate) text: String,
}

impl Difference {
    /// As the admin interface shows it.
    pub(super) fn view(&self) -> DifferenceView {
        DifferenceView { link: self.link.to_string(), what: self.kind.as_str(), text: self.text.clone() }
    }
}

/// All differences between the replicas of `link`, as far as they are known.
pub(super) fn of(link: &LinkView, known: &BTreeMap<ReplicaName, Traits>) -> Vec<Difference> {
    let replicas: Vec<_> = members(link).filter_map(|name| Some((name, known.get(name)?))).collect();
    let mut found = Vec::new();
    let mut say = |kind, text| found.push(Difference { link: link.name.clone(), kind, text });

    let majors = replicas.iter().filter_map(|(name, traits)| Some((*name, traits.version?.major.to_string())));
    if let Some(who) = differing(majors) {
        say(Kind::Version, format!("the major version is {who}; what one side understands, the other may refuse"));
    }
    let databases: BTreeSet<_> = replicas.iter().flat_map(|(_, traits)| traits.collations.keys()).collect();
    for database in databases {
        let of = |traits: &Traits| traits.collations.get(database).map(|collation| shown(*collation));
        if let Some(who) = differing(replicas.iter().filter_map(|(name, traits)| Some((*name, of(traits)?)))) {
            let means = "varchar parameters that a driver encodes for one of them are silently read as other characters \
                         on the other, and comparisons and order may differ";
            say(Kind::Collation, format!("the default collation of {database} is {who}; {means}"));
        }
    }
    let languages = replicas.iter().filter_map(|(name, traits)| Some((*name, traits.language.clone()?)));
    if let Some(who) = differing(languages) {
        let means = "dates written as text can mean another day, and messages come in another language";
        say(Kind::Language, format!("the language of the probes' login is {who}; {means}"));
    }
    for id in PROMISES {
        let extents = replicas.iter().filter_map(|(name, traits)| Some((*name, *traits.promises.get(&id.to_byte())?)));
        if let Some(who) = differing_extents(extents) {
            say(Kind::Features, format!("{id:?} goes to version {who}; clients are granted the least of them"));
        }
    }
    found
}

/// Who has which value, if not all have the same.
fn differing<'n>(values: impl Iterator<Item = (&'n ReplicaName, String)>) -> Option<String> {
    let values: Vec<_> = values.collect();
    let distinct: BTreeSet<_> = values.iter().map(|(_, value)| value).collect();
    let told = values.iter().map(|(name, value)| format!("{value} on {name}"));
    (distinct.len() > 1).then(|| told.collect::<Vec<_>>().join(", "))
}

/// A replica that was not asked for more than it granted may go further, so only what is certain is a difference.
fn differing_extents<'n>(extents: impl Iterator<Item = (&'n ReplicaName, Extent)>) -> Option<String> {
    let extents: Vec<_> = extents.collect();
    let least = extents.iter().filter_map(|(_, extent)| extent.most).min()?;
    extents.iter().any(|(_, extent)| extent.granted > least).then(|| {
        let told = extents.iter().map(|(name, extent)| format!("{} on {name}", extent.granted));
        told.collect::<Vec<_>>().join(", ")
    })
}
