//! The RPCs of identity: parse, call the store, reply. Who may call was decided before, by the policy layer; only that
//! an operator alone makes an operator's key is decided here, since it hangs on a field.

use millrace_chassis::idempotency::{self, Claim};
use millrace_chassis::name;
use millrace_chassis::page::Binding;
use millrace_chassis::shard::UserScope;
use millrace_chassis::{Caller, Platform};
use millrace_proto::identity::v1::identity_service_server::IdentityService;
use millrace_proto::identity::v1::{
    ApiKey, CreateApiKeyRequest, CreateApiKeyResponse, CreateUserRequest, GetUserRequest, ListApiKeysRequest,
    ListApiKeysResponse, ListUsersRequest, ListUsersResponse, RevokeApiKeyRequest, UpdateUserRequest, User,
};
use prost::Message;
use tonic::{Request, Response, Status};

use super::config::Identity;
use super::store::{key, user};
use super::user::{Change, Draft};
use super::{Error, api_key, sign_up, update};
use crate::field::Check;
use crate::paging::Page;
use crate::replay;
use crate::text::OPTIONAL_DISPLAY_NAME;

const CREATE_KEY: &str = "millrace.identity.v1.IdentityService/CreateApiKey";
const LIST_KEYS: &str = "millrace.identity.v1.IdentityService/ListApiKeys";
const LIST_USERS: &str = "millrace.identity.v1.IdentityService/ListUsers";

/// Identity's gRPC service.
pub(super) struct IdentityRpc {
    platform: Platform,
    config: Identity,
}

impl IdentityRpc {
    /// Identity over the platform's databases.
    pub(super) fn new(platform: &Platform, config: &Identity) -> Self {
        Self {
            platform: platform.clone(),
            config: config.clone(),
        }
    }

    async fn create_user(&self, caller: Caller, mut request: CreateUserRequest) -> Result<User, Error> {
        let request_id = std::mem::take(&mut request.request_id);
        let hash = replay::body_hash(&request);
        let mut check = Check::default();
        check.request_id(&request_id);
        let draft = Draft::read(&request.user.unwrap_or_default(), &mut check);
        check.done()?;
        let draft = draft.ok_or_else(|| Error::Invalid(Vec::new()))?;
        // One caller's request ids say nothing about another's. All who sign up without a key are one caller.
        let owner = caller.user().map(|user| user.to_string()).unwrap_or_default();
        let retry = (!request_id.is_empty()).then(|| sign_up::Request {
            key: format!("{owner}/{request_id}"),
            hash,
        });
        Ok(sign_up::sign_up(&self.platform, &draft, retry.as_ref()).await?.into())
    }

    async fn get_user(&self, scope: &UserScope) -> Result<User, Error> {
        let row = scope
            .fenced(async |scope| user::get(&mut scope.read().await?).await)
            .await?;
        row.map(User::from)
            .ok_or_else(|| Error::NotFound(name::of_user(scope.user().get())))
    }

    async fn update_user(&self, scope: &UserScope, request: &UpdateUserRequest) -> Result<User, Error> {
        let mut check = Check::default();
        let change = Change::read(request, &mut check);
        check.done()?;
        let etag = request.user.as_ref().map(|user| user.etag.as_str()).unwrap_or_default();
        Ok(update::update(&self.platform, scope, &change, etag).await?.into())
    }

    async fn list_users(&self, caller: Caller, request: &ListUsersRequest) -> Result<ListUsersResponse, Error> {
        let binding = Binding {
            method: LIST_USERS,
            parent: "",
            filter: "",
            caller: caller.user(),
        };
        let page = Page::open(&self.platform.pages, binding, request.page_size, &request.page_token)?;
        let (after, limit) = (page.after_number().unwrap_or(0), page.rows_to_read());
        let mut gathered = self
            .platform
            .shards
            .scatter()
            .gather(
                limit,
                request.return_partial_success,
                |row: &user::UserRow| row.user_id,
                move |mut conn| async move { user::list(&mut conn, after, limit).await },
            )
            .await?;
        let end = page.close(&mut gathered.rows, &gathered.missed, |last| last.user_id.to_string());
        Ok(ListUsersResponse {
            users: gathered.rows.into_iter().map(User::from).collect(),
            next_page_token: end.next_page_token,
            unreachable: end.unreachable,
        })
    }

    async fn create_key(
        &self,
        caller: Caller,
        scope: &UserScope,
        mut request: CreateApiKeyRequest,
    ) -> Result<CreateApiKeyResponse, Error> {
        let request_id = std::mem::take(&mut request.request_id);
        let parent = name::of_user(scope.user().get());
        request.parent.clone_from(&parent);
        let hash = replay::body_hash(&request);
        let key = request.api_key.unwrap_or_default();
        let mut check = Check::default();
        check.request_id(&request_id);
        let display_name = check.text("api_key.display_name", &key.display_name, &OPTIONAL_DISPLAY_NAME);
        check.done()?;
        if key.admin && !caller.is_admin() {
            return Err(Error::OperatorKey);
        }

        let draft = api_key::Draft {
            environment: &self.config.key_environment,
            display_name: &display_name,
            admin: key.admin,
        };
        let claim = replay::key(CREATE_KEY, &request_id, &hash, self.platform.clock.now_us());
        scope
            .fenced(async |scope| {
                let mut conn = scope.write().await?;
                conn.transaction(async |conn| {
                    if let Some(claim) = claim
                        && let Claim::Replay(answer) = idempotency::claim_user(conn, claim).await?
                    {
                        return Ok(replay::decode(&answer, conn.database())?);
                    }
                    if user::get(conn).await?.is_none() {
                        return Err(Error::NotFound(parent.clone()));
                    }
                    let new = api_key::insert(&self.platform, conn, &draft).await?;
                    // The secret is not stored, so this is also what a replay answers.
                    let stored = CreateApiKeyResponse {
                        name: api_key::name_of(new.row.user_id, new.row.key_id),
                        api_key: Some(new.row.into()),
                        secret: String::new(),
                    };
                    if let Some(claim) = claim {
                        idempotency::store_user(conn, claim, &stored.encode_to_vec()).await?;
                    }
                    Ok(CreateApiKeyResponse {
                        secret: new.text,
                        ..stored
                    })
                })
                .await
            })
            .await
    }

    async fn list_keys(
        &self,
        caller: Caller,
        scope: &UserScope,
        request: &ListApiKeysRequest,
    ) -> Result<ListApiKeysResponse, Error> {
        let parent = name::of_user(scope.user().get());
        let binding = Binding {
            method: LIST_KEYS,
            parent: &parent,
            filter: "",
            caller: caller.user(),
        };
        let page = Page::open(&self.platform.pages, binding, request.page_size, &request.page_token)?;
        let (before, limit) = (page.after_number().unwrap_or(i64::MAX), page.rows_to_read());
        let mut rows = scope
            .fenced(async |scope| {
                let mut conn = scope.read().await?;
                if user::get(&mut conn).await?.is_none() {
                    return Err(Error::NotFound(parent.clone()));
                }
                Ok(key::list(&mut conn, before, limit).await?)
            })
            .await?;
        let end = page.close(&mut rows, &[], |last| last.key_id.to_string());
        Ok(ListApiKeysResponse {
            api_keys: rows.into_iter().map(ApiKey::from).collect(),
            next_page_token: end.next_page_token,
        })
    }

    async fn revoke_key(&self, scope: &UserScope, request: &RevokeApiKeyRequest) -> Result<ApiKey, Error> {
        let not_found = || Error::NotFound(request.name.clone());
        let [_, key_id] =
            name::parse("name", &request.name, "users/*/apiKeys/*").map_err(|violation| vec![violation])?;
        // An id that is no number names no key.
        let key_id: i64 = key_id.parse().map_err(|_| not_found())?;
        let now_us = self.platform.clock.now_us();
        let row = scope
            .fenced(async |scope| key::revoke(&mut scope.write().await?, key_id, now_us).await)
            .await?;
        row.map(ApiKey::from).ok_or_else(not_found)
    }
}

#[tonic::async_trait]
impl IdentityService for IdentityRpc {
    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<User>, Status> {
        let caller = Caller::of(&request);
        Ok(Response::new(self.create_user(caller, request.into_inner()).await?))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        Ok(Response::new(self.get_user(&UserScope::of(&request)?).await?))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Result<Response<User>, Status> {
        let scope = UserScope::of(&request)?;
        Ok(Response::new(self.update_user(&scope, request.get_ref()).await?))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        let caller = Caller::of(&request);
        Ok(Response::new(self.list_users(caller, request.get_ref()).await?))
    }

    async fn create_api_key(
        &self,
        request: Request<CreateApiKeyRequest>,
    ) -> Result<Response<CreateApiKeyResponse>, Status> {
        let (caller, scope) = (Caller::of(&request), UserScope::of(&request)?);
        Ok(Response::new(
            self.create_key(caller, &scope, request.into_inner()).await?,
        ))
    }

    async fn list_api_keys(
        &self,
        request: Request<ListApiKeysRequest>,
    ) -> Result<Response<ListApiKeysResponse>, Status> {
        let (caller, scope) = (Caller::of(&request), UserScope::of(&request)?);
        Ok(Response::new(self.list_keys(caller, &scope, request.get_ref()).await?))
    }

    async fn revoke_api_key(&self, request: Request<RevokeApiKeyRequest>) -> Result<Response<ApiKey>, Status> {
        let scope = UserScope::of(&request)?;
        Ok(Response::new(self.revoke_key(&scope, request.get_ref()).await?))
    }
}
