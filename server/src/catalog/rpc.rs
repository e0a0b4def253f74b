//! The RPCs of the catalog: parse, call the store, reply. Who may call was decided before, by the policy layer.

use std::collections::HashMap;

use millrace_chassis::idempotency::{self, Claim};
use millrace_chassis::page::Binding;
use millrace_chassis::status::Violation;
use millrace_chassis::{Caller, Platform};
use millrace_proto::catalog::v1::catalog_service_server::CatalogService;
use millrace_proto::catalog::v1::{
    BatchGetProductsRequest, BatchGetProductsResponse, CreateProductRequest, GetProductRequest, ListProductsRequest,
    ListProductsResponse, Product, UpdateProductRequest,
};
use prost::Message;
use tonic::{Request, Response, Status};

use super::product::{self, Change};
use super::{Error, store};
use crate::field::Check;
use crate::paging::Page;
use crate::{etag, replay};

/// Most products of one batch: as many as an order has lines. All of them at their longest stay below the 4 MiB that
/// gRPC clients take, which a test checks.
pub(super) const BATCH_MAX: usize = 100;
const CREATE: &str = "millrace.catalog.v1.CatalogService/CreateProduct";
const LIST: &str = "millrace.catalog.v1.CatalogService/ListProducts";

/// The catalog's gRPC service.
pub(super) struct Catalog {
    platform: Platform,
}

impl Catalog {
    /// A catalog over the platform's global database.
    pub(super) fn new(platform: &Platform) -> Self {
        Self {
            platform: platform.clone(),
        }
    }

    pub(super) async fn create(&self, mut request: CreateProductRequest) -> Result<Product, Error> {
        let now_us = self.platform.clock.now_us();
        let request_id = std::mem::take(&mut request.request_id);
        let body_hash = replay::body_hash(&request);

        let mut check = Check::default();
        check.request_id(&request_id);
        let id = if request.product_id.is_empty() {
            format!("p-{:016x}", self.platform.ids.random_u64())
        } else {
            check.take(product::check_id("product_id", &request.product_id));
            request.product_id
        };
        let row = product::new_row(id, &request.product.unwrap_or_default(), now_us, &mut check);
        check.done()?;

        let key = replay::key(CREATE, &request_id, &body_hash, now_us);
        let mut conn = self.platform.shards.global().write().await?;
        conn.transaction(async move |conn| {
            if let Some(key) = key
                && let Claim::Replay(answer) = idempotency::claim_global(conn, key).await?
            {
                return replay::decode(&answer, conn.database()).map_err(Error::from);
            }
            if !store::insert(conn, &row).await? {
                return Err(Error::Exists(product::name_of(&row.product_id)));
            }
            let product = Product::from(row);
            if let Some(key) = key {
                idempotency::store_global(conn, key, &product.encode_to_vec()).await?;
            }
            Ok(product)
        })
        .await
    }

    pub(super) async fn get(&self, request: &GetProductRequest) -> Result<Product, Error> {
        let id = product::id_of("name", &request.name).map_err(|violation| vec![violation])?;
        let mut conn = self.platform.shards.global().read().await?;
        let row = store::get(&mut conn, id).await?;
        row.map(Product::from).ok_or_else(|| not_found(&request.name))
    }

    pub(super) async fn update(&self, request: UpdateProductRequest) -> Result<Product, Error> {
        let now_us = self.platform.clock.now_us();
        let mut check = Check::default();
        let sent = request.product.clone().unwrap_or_default();
        let id = check
            .take(product::id_of("product.name", &sent.name))
            .unwrap_or_default();
        let change = Change::read(&request, &mut check);
        check.done()?;

        let mut conn = self.platform.shards.global().write().await?;
        conn.transaction(async |conn| {
            let mut row = store::lock(conn, id).await?.ok_or_else(|| not_found(&sent.name))?;
            // Whatever its etag: it may be the retry of the call that made the product so.
            if change.is_met_by(&row) {
                return Ok(Product::from(row));
            }
            if !etag::allows(&sent.etag, &sent.name, row.version) {
                return Err(Error::EtagMismatch(sent.name.clone()));
            }
            change.apply(&mut row, now_us);
            store::save(conn, &row).await?;
            Ok(Product::from(row))
        })
        .await
    }

    pub(super) async fn list(
        &self,
        caller: Caller,
        request: &ListProductsRequest,
    ) -> Result<ListProductsResponse, Error> {
        let binding = Binding {
            method: LIST,
            parent: "",
            filter: "",
            caller: caller.user(),
        };
        let mut page = Page::open(&self.platform.pages, binding, request.page_size, &request.page_token)?;
        let mut conn = self.platform.shards.global().read().await?;
        let mut rows = store::list(&mut conn, page.after().unwrap_or_default(), page.rows_to_read()).await?;
        page.fit(&rows, store::ProductRow::bytes);
        let end = page.close(&mut rows, &[], |last| last.product_id.clone());
        Ok(ListProductsResponse {
            products: rows.into_iter().map(Product::from).collect(),
            next_page_token: end.next_page_token,
        })
    }

    pub(super) async fn batch_get(&self, request: &BatchGetProductsRequest) -> Result<BatchGetProductsResponse, Error> {
        if !(1..=BATCH_MAX).contains(&request.names.len()) {
            let description = format!("has {} names: send 1 to {BATCH_MAX}", request.names.len());
            return Err(Error::Invalid(vec![Violation::new("names", description)]));
        }
        let mut check = Check::default();
        let ids = request.names.iter().enumerate();
        let ids: Vec<&str> = ids
            .filter_map(|(index, name)| check.take(product::id_of(&format!("names[{index}]"), name)))
            .collect();
        check.done()?;

        let mut conn = self.platform.shards.global().read().await?;
        let rows = store::get_all(&mut conn, &ids).await?;
        let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.product_id.clone(), row)).collect();
        let (mut products, mut missing) = (Vec::with_capacity(ids.len()), Vec::new());
        for (index, id) in ids.into_iter().enumerate() {
            match rows.get(id) {
                Some(row) => products.push(Product::from(row.clone())),
                None => missing.push(index),
            }
        }
        let Some(&first) = missing.first() else {
            return Ok(BatchGetProductsResponse { products });
        };
        let violations = missing.iter().map(|&index| {
            let description = format!("{} does not exist", request.names[index]);
            Violation::new(format!("names[{index}]"), description)
        });
        Err(Error::NotFound {
            name: request.names[first].clone(),
            violations: violations.collect(),
        })
    }
}

fn not_found(name: &str) -> Error {
    Error::NotFound {
        name: name.to_owned(),
        violations: Vec::new(),
    }
}

#[tonic::async_trait]
impl CatalogService for Catalog {
    async fn create_product(&self, request: Request<CreateProductRequest>) -> Result<Response<Product>, Status> {
        Ok(Response::new(self.create(request.into_inner()).await?))
    }

    async fn get_product(&self, request: Request<GetProductRequest>) -> Result<Response<Product>, Status> {
        Ok(Response::new(self.get(request.get_ref()).await?))
    }

    async fn update_product(&self, request: Request<UpdateProductRequest>) -> Result<Response<Product>, Status> {
        Ok(Response::new(self.update(request.into_inner()).await?))
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let caller = Caller::of(&request);
        Ok(Response::new(self.list(caller, request.get_ref()).await?))
    }

    async fn batch_get_products(
        &self,
        request: Request<BatchGetProductsRequest>,
    ) -> Result<Response<BatchGetProductsResponse>, Status> {
        Ok(Response::new(self.batch_get(request.get_ref()).await?))
    }
}
