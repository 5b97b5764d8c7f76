//! The SQL Server Browser's part: tells clients that know an instance by its name which port its service listens on.
//!
//! Whoever asks by UDP can write another's address under the question, who then gets the answer. So only well-formed
//! questions from known networks are answered, with a kibibyte at most, and only so many in a second: in all, and to one
//! address.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tds::browser::{self, Instance, Question};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::config;
use crate::drain::Drain;
use crate::setup::Setup;
use crate::shared::Shared;

/// More than any question has; what is longer is cut, and no question then.
const QUESTION_BYTES_MAX: usize = 64;
/// Answers to one address in a second: a driver asks once for each connection it opens, and pools open few at a time.
const ANSWERS_PER_ADDRESS_MAX: usize = 10;
/// The pause after an error that is not one datagram's.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound address for questions.
pub(crate) struct Browser {
    socket: UdpSocket,
    shared: Arc<Shared>,
    /// Where services listen whose port the system chose.
    ports: BTreeMap<String, u16>,
}

impl Browser {
    /// Takes the address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub(crate) fn bind(address: SocketAddr, shared: Arc<Shared>, ports: BTreeMap<String, u16>) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UdpSocket::from_std(socket)?, shared, ports })
    }

    /// Where it listens; tells the port where the configuration asked for any.
    ///
    /// # Errors
    /// The socket is gone.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until the process drains, since then no new session should come.
    pub(crate) async fn run(self, mut drain: Drain) {
        if let Ok(address) = self.address() {
            info!(%address, "answering for instance names");
        }
        let mut rate = Rate::new(Instant::now());
        let mut datagram = [0; QUESTION_BYTES_MAX];
        loop {
            let received = tokio::select! {
                biased;
                () = drain.started() => return,
                received = self.socket.recv_from(&mut datagram) => received,
            };
            match received {
                Ok((length, from)) => self.reply(datagram.get(..length).unwrap_or_default(), from, &mut rate),
                // Some systems report here that an earlier answer did not arrive.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) => {
                    warn!(%error, "cannot receive questions for instance names; retrying");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn reply(&self, datagram: &[u8], from: SocketAddr, rate: &mut Rate) {
        let setup = self.shared.setup();
        let Some(config) = &setup.config.browser else { return };
        let Some(answer) = self.answer(datagram, from, config, &setup) else { return };
        if !rate.allows(from.ip(), config.answers_per_second_max, Instant::now()) {
            debug!(client.address = %from, "a question for an instance name is over the limit");
            return;
        }
        // A full buffer loses the answer, as any network may; clients ask again.
        if let Err(error) = self.socket.try_send_to(&answer, from) {
            debug!(%error, client.address = %from, "an answer for an instance name was lost");
        }
    }

    fn answer(&self, datagram: &[u8], from: SocketAddr, config: &config::Browser, setup: &Setup) -> Option<Vec<u8>> {
        let question = Question::decode(datagram)?;
        let may_ask = config.networks.iter().any(|network| network.contains(from.ip()));
        let asked = config.instances.iter().filter(|(name, _)| may_ask && question.asks_for(name));
        browser::answer(asked.filter_map(|(name, service)| {
            let service = setup.services.iter().find(|known| known.name() == service)?;
            let port = Some(service.config.listen.port()).filter(|port| *port != 0);
            let tcp_port = port.or_else(|| self.ports.get(&**service.name()).copied())?;
            Some(Instance {
                server_name: &config.server_name,
                name,
                version: service.advertised.load().version,
                tcp_port,
            })
        }))
    }
}

/// Counts the answers of the current second.
#[derive(Debug)]
struct Rate {
    began: Instant,
    answers: usize,
    /// Never more addresses than answers in a second.
    by_address: HashMap<IpAddr, usize>,
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self { began: now, answers: 0, by_address: HashMap::new() }
    }

    /// Counts one more answer to `address`, if there may be one.
    fn allows(&mut self, address: IpAddr, max: usize, now: Instant) -> bool {
        if now.duration_since(self.began) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        if self.answers >= max {
            return false;
        }
        let to_address = self.by_address.entry(address).or_default();
        if *to_address >= ANSWERS_PER_ADDRESS_MAX {
            return false;
        }
        *to_address += 1;
        self.answers += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    //! How many answers there are in a second.

    use super::*;

    #[test]
    fn one_address_gets_ten_answers_a_second_and_others_theirs() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        let mut asked = |address: [u8; 4]| (0..20).filter(|_| rate.allows(address.into(), 100, now)).count();
        assert_eq!((asked([10, 0, 0, 1]), asked([10, 0, 0, 1]), asked([10, 0, 0, 2])), (10, 0, 10));
    }

    #[test]
    fn all_together_get_so_many_a_second_and_no_more_addresses_are_kept() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        let allowed = (0..=255).filter(|last| rate.allows([10, 0, 0, *last].into(), 25, now)).count();
        assert_eq!((allowed, rate.by_address.len()), (25, 25));
        let later = now + Duration::from_secs(1);
        assert!(rate.allows([10, 0, 0, 1].into(), 25, later), "the next second begins anew");
    }
}
