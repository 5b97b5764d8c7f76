//! Clients we did not write, through the running proxy: they read what the servers and the proxy write.

use mssql_tds::connection::client_context::ClientContext;
use mssql_tds::connection::tds_client::ResultSet;
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::EncryptionSetting;
use mssql_tds::datatypes::column_values::ColumnValues;
use mssql_tds::message::login_options::ApplicationIntent;
use sandbox::proxied::ProxyOptions;
use sandbox::{Options, Running};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

async fn running() -> Running {
    sandbox::start(Options { proxy: Some(ProxyOptions::default()), ..Options::default() }).await.unwrap()
}

async fn tiberius(sandbox: &Running, encryption: EncryptionLevel, read_only: bool) -> Client<Compat<TcpStream>> {
    let address = sandbox.proxy.as_ref().unwrap().address();
    let mut config = Config::new();
    config.host("127.0.0.1");
    config.port(address.port());
    config.database(sandbox::DATABASE);
    config.authentication(AuthMethod::sql_server(sandbox::LOGIN, sandbox::PASSWORD));
    config.encryption(encryption);
    config.trust_cert_ca(sandbox.ca_path().to_str().unwrap());
    config.readonly(read_only);
    let tcp = TcpStream::connect(address).await.unwrap();
    Box::pin(Client::connect(config, tcp.compat_write())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tiberius_writes_to_the_primary_and_reads_from_the_secondary_in_every_encryption_mode() {
    let sandbox = running().await;
    for encryption in
        [EncryptionLevel::NotSupported, EncryptionLevel::Off, EncryptionLevel::On, EncryptionLevel::Required]
    {
        let mut writer = tiberius(&sandbox, encryption, false).await;
        let inserted =
            writer.execute("INSERT INTO Orders (CustomerID, Total) VALUES (@P1, 9.99)", &[&7]).await.unwrap();
        assert_eq!(inserted.rows_affected(), [1]);
        let mut reader = tiberius(&sandbox, encryption, true).await;
        let row =
            reader.query("SELECT @@SERVERNAME, COUNT(*) FROM Orders WHERE CustomerID >= @P1", &[&0]).await.unwrap();
        let row = row.into_row().await.unwrap().unwrap();
        assert_eq!(row.get::<&str, _>(0), Some("mi"));
        let refused = reader.execute("DELETE FROM Orders", &[]).await.unwrap_err();
        assert_eq!(refused.code(), Some(3906));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mssql_tds_reads_typed_rows_in_every_encryption_mode() {
    let sandbox = running().await;
    let port = sandbox.proxy.as_ref().unwrap().address().port();
    for (mode, intent, replica) in [
        (EncryptionSetting::PreferOff, ApplicationIntent::ReadWrite, "onprem"),
        (EncryptionSetting::On, ApplicationIntent::ReadOnly, "mi"),
        (EncryptionSetting::Strict, ApplicationIntent::ReadOnly, "mi"),
    ] {
        let mut context = ClientContext::default();
        context.user_name = sandbox::LOGIN.to_owned();
        context.password = sandbox::PASSWORD.to_owned();
        context.database = sandbox::DATABASE.to_owned();
        context.application_intent = intent;
        context.encryption_options.mode = mode;
        context.encryption_options.server_certificate = Some(sandbox.certificates().chain_path.clone());
        let mut client =
            TdsConnectionProvider {}.create_client(context, &format!("tcp:127.0.0.1,{port}"), None).await.unwrap();
        client.execute("SELECT 42 AS answer, @@SERVERNAME AS name".to_owned(), ()).await.unwrap();
        let row = client.next_row().await.unwrap().unwrap();
        let [ColumnValues::Int(42), ColumnValues::String(name)] = &row[..] else { panic!("{row:?}") };
        assert_eq!(name.to_utf8_string(), replica);
        client.close_query().await.unwrap();
    }
}
