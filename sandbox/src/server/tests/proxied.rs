//! The same client through the proxy: nothing it sees differs but the server it reaches.

use super::client::{RawClient, batch, login};
use super::fake::FakeEngine;
use crate::proxied::ProxyOptions;
use crate::{Options, Running, start_with};
use std::sync::Arc;
use tds::login7::{Login7, TypeFlags};
use tds::packet::PacketKind;
use tds::value::Value;

async fn start() -> Running {
    let options = Options { proxy: Some(ProxyOptions::default()), ..Options::default() };
    start_with(options, Arc::new(FakeEngine("onprem")), Arc::new(FakeEngine("mi"))).await.unwrap()
}

#[tokio::test]
async fn sessions_that_only_read_reach_mi_and_the_others_onprem() {
    let running = start().await;
    let address = running.proxy.as_ref().unwrap().address();
    let reads = Login7 { type_flags: TypeFlags::READ_ONLY_INTENT, ..login() };
    for (login, server) in [(login(), "onprem"), (reads, "mi")] {
        let (mut client, _) = RawClient::logged_in_with(address, login).await;
        assert_eq!(client.batch("name").await.rows(), [[Value::Text(server.to_owned())]]);
        client.send(PacketKind::SqlBatch, &batch(0, "wait")).await;
        client.send(PacketKind::Attention, &[]).await;
        client.answer().await;
        assert!(client.answer().await.is_acknowledgement());
        assert_eq!(client.batch("many").await.rows().len(), super::fake::MANY_ROWS as usize);
    }
    running.shut_down().await;
}
