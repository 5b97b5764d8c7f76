//! Where a session goes and why. Pure: the same question and picture give the same route.

use link_control::topology::{LinkView, Phase, ReplicaName};

use crate::config::SecondaryMissing;

/// What a replica is to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// It takes writes.
    Primary,
    /// It answers reads that may be a moment behind.
    Secondary,
}

impl Role {
    /// The role as metrics and logs write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

/// What is known of a session when it logs in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// It declared `ApplicationIntent=ReadOnly`.
    pub(crate) read_only: bool,
    /// Where an operator's rule sends it, whatever it declared.
    pub(crate) ruled: Option<Role>,
    /// It changes its password while it logs in, which is a write.
    pub(crate) changes_password: bool,
    /// What the service does without a usable secondary.
    pub(crate) secondary_missing: SecondaryMissing,
    /// Replicas that were tried for this login and did not work.
    pub(crate) unusable: &'a [ReplicaName],
    /// Spreads sessions over several secondaries: any number that differs from session to session.
    pub(crate) turn: u64,
}

/// Why a session went where it went. A metric label and a log field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// An operator's rule says so.
    Rule,
    /// It declared that it only reads.
    ReadOnlyIntent,
    /// It only reads, or an operator's rule takes it for that, but there is no usable secondary.
    SecondaryMissing,
    /// It changes its password.
    PasswordChange,
    /// It declared nothing.
    NoIntent,
}

impl Reason {
    /// The reason as metrics and logs write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::ReadOnlyIntent => "read-only-intent",
            Self::SecondaryMissing => "secondary-missing",
            Self::PasswordChange => "password-change",
            Self::NoIntent => "no-intent",
        }
    }
}

/// The replica a session goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) replica: ReplicaName,
    pub(crate) role: Role,
    pub(crate) reason: Reason,
}

/// There is nowhere to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// No primary that is proven and takes writes now, or it did not work.
    Primary,
    /// No secondary that works, and the service does not want the primary to serve its readers.
    Secondary,
}

/// Chooses the replica for a session of the link in `view`.
pub(crate) fn route(view: &LinkView, question: Question<'_>) -> Result<Route, NoRoute> {
    let primary = |reason| match &view.primary {
        Some(replica) if view.phase == Phase::Serving && usable(question, replica) => {
            Ok(Route { replica: replica.clone(), role: Role::Primary, reason })
        }
        _ => Err(NoRoute::Primary),
    };
    if question.changes_password {
        return primary(Reason::PasswordChange);
    }
    let reason = match (question.ruled, question.read_only) {
        (Some(Role::Primary), _) => return primary(Reason::Rule),
        (None, false) => return primary(Reason::NoIntent),
        (Some(Role::Secondary), _) => Reason::Rule,
        (None, true) => Reason::ReadOnlyIntent,
    };
    match (secondary(view, question), question.secondary_missing) {
        (Some(replica), _) => Ok(Route { replica: replica.clone(), role: Role::Secondary, reason }),
        (None, SecondaryMissing::Primary) => primary(Reason::SecondaryMissing),
        (None, SecondaryMissing::Refuse) => Err(NoRoute::Secondary),
    }
}

fn secondary<'v>(view: &'v LinkView, question: Question<'_>) -> Option<&'v ReplicaName> {
    let mut usable = view.secondaries.iter().filter(|replica| usable(question, replica));
    let count = u64::try_from(usable.clone().count()).ok().filter(|count| *count > 0)?;
    usable.nth(usize::try_from(question.turn % count).ok()?)
}

fn usable(question: Question<'_>, replica: &ReplicaName) -> bool {
    !question.unusable.contains(replica)
}

#[cfg(test)]
mod tests;
