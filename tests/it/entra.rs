//! Microsoft Entra logins of clients we did not write, to the simulated servers: passed through, and the proxy's own.

use std::path::Path;
use std::pin::Pin;

use mssql_tds::connection::client_context::{ClientContext, EntraIdTokenFactory, TdsAuthenticationMethod};
use mssql_tds::connection::tds_client::ResultSet;
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionSetting, TdsResult};
use mssql_tds::datatypes::column_values::ColumnValues;
use sandbox::proxied::ProxyOptions;
use sandbox::{Options, Running};
use tests::running_proxy::{RunningProxy, Setup, certificate_files};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncWriteCompatExt;

const TOKEN: &str = "a-made-up-token";

async fn sandbox(proxy: Option<ProxyOptions>) -> Running {
    sandbox::start(Options { entra_token: Some(TOKEN.to_owned()), proxy, ..Options::default() }).await.unwrap()
}

/// The name of the server that a client of the port ends up on, or the number of the error it gets.
async fn server_name(port: u16, ca: &Path, authentication: AuthMethod, read_only: bool) -> Result<String, u32> {
    let mut config = Config::new();
    config.host("127.0.0.1");
    config.port(port);
    config.database(sandbox::DATABASE);
    config.authentication(authentication);
    config.encryption(EncryptionLevel::Required);
    config.trust_cert_ca(ca.to_str().unwrap());
    config.readonly(read_only);
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let client = Box::pin(Client::connect(config, tcp.compat_write())).await;
    let mut client = client.map_err(|error| error.code().unwrap())?;
    let row = client.query("SELECT @@SERVERNAME", &[]).await.unwrap().into_row().await.unwrap().unwrap();
    Ok(row.get::<&str, _>(0).unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_login_reaches_the_replica_direct_and_through_the_proxy() {
    let sandbox = sandbox(Some(ProxyOptions::default())).await;
    let proxy = sandbox.proxy.as_ref().unwrap().address().port();
    for port in [sandbox.onprem.address().port(), proxy] {
        let name = server_name(port, sandbox.ca_path(), AuthMethod::aad_token(TOKEN), false).await;
        assert_eq!(name.as_deref(), Ok("onprem"));
        let refused = server_name(port, sandbox.ca_path(), AuthMethod::aad_token("another"), false).await;
        assert_eq!(refused, Err(18456));
    }
    let name = server_name(proxy, sandbox.ca_path(), AuthMethod::aad_token(TOKEN), true).await;
    assert_eq!(name.as_deref(), Ok("mi"));
}

/// A token service for clients that are told where to ask.
#[derive(Clone)]
struct TokenService;

impl EntraIdTokenFactory for TokenService {
    fn create_token<'s, 'f>(
        &'s self,
        spn: String,
        _sts_url: String,
        _method: TdsAuthenticationMethod,
    ) -> Pin<Box<dyn Future<Output = TdsResult<Vec<u8>>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        assert_eq!(spn, "https://database.windows.invalid/");
        Box::pin(async { Ok(TOKEN.encode_utf16().flat_map(u16::to_le_bytes).collect()) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_replica_asks_for_reaches_it_direct_and_through_the_proxy() {
    let sandbox = sandbox(Some(ProxyOptions::default())).await;
    for address in [sandbox.onprem.address(), sandbox.proxy.as_ref().unwrap().address()] {
        let mut context = ClientContext::default();
        let method = TdsAuthenticationMethod::ActiveDirectoryManagedIdentity;
        context.auth_method_map.insert(method.clone(), Box::new(TokenService));
        context.tds_authentication_method = method;
        context.database = sandbox::DATABASE.to_owned();
        context.encryption_options.mode = EncryptionSetting::On;
        context.encryption_options.server_certificate = Some(sandbox.certificates().chain_path.clone());
        let server = format!("tcp:127.0.0.1,{}", address.port());
        let mut client = TdsConnectionProvider {}.create_client(context, &server, None).await.unwrap();
        client.execute("SELECT @@SERVERNAME AS name".to_owned(), ()).await.unwrap();
        let row = client.next_row().await.unwrap().unwrap();
        let [ColumnValues::String(name)] = &row[..] else { panic!("{row:?}") };
        assert_eq!(name.to_utf8_string(), "onprem");
        client.close_query().await.unwrap();
    }
}

/// A proxy before a server that knows the clients and one to which the proxy logs in with a token.
async fn mapped(sandbox: &Running, token: &str) -> RunningProxy {
    let (certificate, key) = certificate_files();
    let trust = format!("encryption = \"full\"\nca_file = {:?}\nhost_name = \"localhost\"\n", sandbox.ca_path());
    let (onprem, mi) = (sandbox.onprem.address(), sandbox.mi.address());
    Setup::run_text(&format!(
        "[replicas.onprem]\naddress = \"{onprem}\"\n{trust}[replicas.mi]\naddress = \"{mi}\"\n{trust}\
         [replicas.mi.identity]\nproven_on = \"onprem\"\ntoken_command = [\"/bin/echo\", \"{token}\"]\n\
         [links.sales]\ndatabases = [\"SalesDB\"]\nprimary = \"onprem\"\nsecondaries = [\"mi\"]\n\
         [services.main]\nlisten = \"127.0.0.1:0\"\nlink = \"sales\"\nsecondary_missing = \"refuse\"\n\
         certificate_file = {certificate:?}\nkey_file = {key:?}\n"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_with_passwords_and_with_tokens_reach_a_replica_through_the_proxys_token() {
    let sandbox = sandbox(None).await;
    let (right, wrong) = (mapped(&sandbox, TOKEN).await, mapped(&sandbox, "another").await);
    let ca = certificate_files().0;
    let password = || AuthMethod::sql_server(sandbox::LOGIN, sandbox::PASSWORD);
    for authentication in [password(), AuthMethod::aad_token(TOKEN)] {
        assert_eq!(server_name(right.address.port(), &ca, authentication, true).await.as_deref(), Ok("mi"));
    }
    let nobody = AuthMethod::sql_server(sandbox::LOGIN, "wrong");
    assert_eq!(server_name(right.address.port(), &ca, nobody, true).await, Err(18456));
    assert_eq!(server_name(wrong.address.port(), &ca, password(), true).await, Err(40613));
}
